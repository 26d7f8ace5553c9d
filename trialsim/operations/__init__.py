"""The rules of conduct: accrual and allocation."""
