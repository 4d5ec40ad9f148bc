"""Pictures that users bring, as the mini model is shown the book's."""
