"""Plan, schedule, samples, histograms, windows and the ledger. Knows nothing of quotas."""
