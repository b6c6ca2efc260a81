"""Keep the last signed head of each audit log outside the database, and sign nothing that contradicts it."""
