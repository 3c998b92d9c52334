"""Narrative in, codes out: constrained decoding, a lexical prior, known wordings, calibrated confidence, and evidence.

coder = thce.coder.coder.Coder.load("models/stage3", thce.codes.open(), "models/coder")
coder.code(["Patient reports a productive cough and fever, consistent with acute bronchitis."])
"""
