"""Download evidence: entries of the audit log, with everything that proves them to someone who does not trust us."""
