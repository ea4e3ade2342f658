"""Language-model fine-tuning: texts, devices, training, samples, features and diagnostics, and the task-setting made of them.

torch and transformers cost seconds to import: functions that need them import them.
"""

import os

from benchmark.tasks.language_model.task import LanguageModel

__all__ = ["LanguageModel"]

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read by transformers when it is imported
