"""The periodic analysis of the operations log: rules that know nothing of Kafka, the Faust application that feeds them,
and the store of what they found.

It reads signed lines, never a submission; a finding names accounts, principals and fingerprints, nobody's name.
"""
