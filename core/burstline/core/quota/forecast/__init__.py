"""The forecast: what a plan would meet in an account, without sending anything. Entry: `forecasting.forecast`."""
