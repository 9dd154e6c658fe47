"""Training of LightGlue: recipes, data, loss, training loop, distillation and reports."""
