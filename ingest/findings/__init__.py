"""What a release says twice, says in two ways, or holds where nobody finds it."""
