"""The deciding role: from requests and outcomes to decisions and experience."""
