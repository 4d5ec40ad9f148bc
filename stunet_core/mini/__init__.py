"""The embedded model: text encoder, autoencoder and spatial U-Net small enough to lie in the repo."""
