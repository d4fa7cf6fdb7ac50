"""Fine-tuning on rows that share their schemas and questions, each shared token computed once: made for CPUs."""
