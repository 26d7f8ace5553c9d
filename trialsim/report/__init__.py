"""Tables, figures and pages made of saved records."""
