"""What this machine has and lacks, one file a kind of need; each finding with its fix. No torch."""
