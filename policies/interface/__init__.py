"""What a policy gets and returns: view, plan, reserve."""
