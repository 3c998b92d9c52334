"""Preference tuning as small as the tests need it; each test replaces what it is about."""

from __future__ import annotations

from thce.settings.modeling import Stage3Params

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
    origins=("own", "mended", "built"),
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
