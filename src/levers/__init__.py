"""levers: customise a language model for a team's task by evidence."""

__version__ = "0.1.0"
