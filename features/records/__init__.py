"""One request as `tf.train.Example` bytes: encoding, decoding, columns, TFRecord framing."""
