"""What may be said: contracts, catalogue of procedures, input parser, rules, masks, codec, generator.

Knows nothing of Kafka, keys or people: text comes in, is judged, and goes out as it came.
"""
