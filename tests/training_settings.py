"""A model and preference tuning as small as the tests need them; each test replaces what it is about."""

from __future__ import annotations

from thce.settings.modeling import BaseParams, Stage3Params

SHAPE = BaseParams(
    source="scratch",
    revision=None,
    vocabulary=300,
    code_tokens=False,
    hidden=16,
    layers=1,
    heads=2,
    intermediate=16,
    context=64,
    epochs=0.0,
    batch_size=4,
    learning_rate=0.01,
    drop=0.1,
    chop=0.1,
)

DPO = Stage3Params(
    precision="fp32",
    epochs=1.0,
    batch_size=9,
    micro_batch=9,
    learning_rate=0.001,
    warmup=0.0,
    beta=0.3,
    loss_type=("sigmoid", "sft"),
    loss_weights=(1.0, 1.0),
    origins=("own", "completed", "mended", "built", "uncoded"),
    max_grad_norm=1.0,
    max_length=256,
    save_steps=1,
    patience=0,
    rlvr_steps=0,
    rlvr_prompts=2,
    rlvr_samples=4,
    rlvr_learning_rate=0.001,
    rlvr_temperature=1.0,
    rlvr_max_new_tokens=24,
    report_to=(),
)
