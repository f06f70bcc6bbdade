"""Leaderboard tables as Markdown, LaTeX and CSV."""
