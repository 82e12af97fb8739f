"""What a deployment to AWS is made of, and how it comes about: template, package, stack, verification."""
