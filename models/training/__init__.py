"""Training.

- `config`, `fit`: the configuration, and the entry point `fit.train`.
- `passes`, `loop`, `steps`: batches, intervals with evaluations, single steps.
- `averages`, `budget`: which weights are evaluated and kept, and when a training ends.
- `state`, `checkpoints`, `warm_start`: resume, and start from an earlier model.
- `computed`: what is counted, not trained: the item prior first, the logit's scales and bias last.
- `optimizers`, `lazy_adam`: one optimizer per group of variables.
- `distribution`, `execution`: devices and workers; threads, precision, compilation.
- `progress`, `tensorboard`, `guarded_callback`: log lines and summaries, which end no training.
"""
