"""Many jobs: grid, plan, scheduler, workers and launchers."""
