"""Measures pocket: what it reads, refuses, formats, imitates, learns and knows of its own mistakes.

Answers come through the library's own local model, so what is measured is what users get. The sets marked for
evaluation are opened here and nowhere in the training recipe, except to leave their texts out.
"""
