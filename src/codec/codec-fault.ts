// Owns: the one failure of the pixel decoders: the bytes are not what an encoder wrote. Never thrown while encoding.

export class CodecFault extends Error {
  override readonly name = 'CodecFault';
}
