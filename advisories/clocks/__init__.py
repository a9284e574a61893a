"""Legal clocks: regimes as data, deadlines from recorded triggers, countdowns and calendars."""
