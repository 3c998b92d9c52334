"""The sections of params.yaml as frozen dataclasses, one module per room.

A stage imports its own section only, so a new key elsewhere leaves its code as it was. The docstring under a field says
what it means, in which unit and range; `thce params explain` prints it.
"""
