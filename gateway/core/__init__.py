"""Pure decisions: publication, rollout, funnel."""
