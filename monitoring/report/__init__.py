"""The periodic report of the watch (定期分析報告): figures of one municipality and one day or month, for signature.

Sources are collected into one frozen `model.Basis`; `judging` decides what a person must look at, `composing` makes a
neutral document of it, `html` and `pdf` draw that. All of it is pure: the same basis gives the same bytes.
"""
