"""Speed against peers, one script for each subject: `python -m benchmarks.<subject>`."""
