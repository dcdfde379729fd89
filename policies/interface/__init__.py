"""Inputs and outputs of policies: view, plan, reserve."""
