"""What is asked for: protocols, arms and campaigns, from conf/, experiments/ and params.yaml."""
