"""Quotas, the admission model, classification, settlement, findings and advice."""
