"""Training: one loop for every task, its schedules, checkpoints, augmentation and LoRA."""
