// Which way each transfer syntax codes a frame. What is not in the table (video, JPIP, JPEG XL, whatever comes) is not decoded: it is passed on as it is.

export type PixelCoding = 'native' | 'nativeBigEndian' | 'rle' | 'jpeg' | 'jpegLs' | 'jpeg2000' | 'deflatedFrame';

const codings: Readonly<Record<string, PixelCoding>> = {
  '1.2.840.10008.1.2': 'native',
  '1.2.840.10008.1.2.1': 'native',
  '1.2.840.10008.1.2.1.99': 'native', // the data set as a whole is deflated
  '1.2.840.10008.1.2.2': 'nativeBigEndian',
  '1.2.840.113619.5.2': 'nativeBigEndian', // GE's own: everything little endian but the pixels
  '1.2.840.10008.1.2.5': 'rle',
  '1.2.840.10008.1.2.4.50': 'jpeg', // baseline
  '1.2.840.10008.1.2.4.51': 'jpeg', // extended
  '1.2.840.10008.1.2.4.53': 'jpeg', // spectral selection, retired
  '1.2.840.10008.1.2.4.55': 'jpeg', // full progression, retired
  '1.2.840.10008.1.2.4.57': 'jpeg', // lossless
  '1.2.840.10008.1.2.4.70': 'jpeg', // lossless, first-order prediction
  '1.2.840.10008.1.2.4.80': 'jpegLs',
  '1.2.840.10008.1.2.4.81': 'jpegLs', // near-lossless
  '1.2.840.10008.1.2.4.90': 'jpeg2000', // lossless
  '1.2.840.10008.1.2.4.91': 'jpeg2000',
  '1.2.840.10008.1.2.4.92': 'jpeg2000', // multi-component, lossless: decoded where the stream keeps to Part 1
  '1.2.840.10008.1.2.4.93': 'jpeg2000',
  '1.2.840.10008.1.2.4.201': 'jpeg2000', // high throughput, lossless
  '1.2.840.10008.1.2.4.202': 'jpeg2000', // the same, resolution after resolution
  '1.2.840.10008.1.2.4.203': 'jpeg2000', // high throughput
  '1.2.840.10008.1.2.8.1': 'deflatedFrame',
};

export function pixelCodingOf(syntax: string): PixelCoding | undefined {
  return Object.hasOwn(codings, syntax) ? codings[syntax] : undefined;
}

/** Whether pixel data of this syntax stands in fragments. */
export function isEncapsulatedCoding(coding: PixelCoding): boolean {
  return coding !== 'native' && coding !== 'nativeBigEndian';
}

/** Syntaxes that frames can be brought into without loss. */
export const encodableSyntaxes = {
  implicitLittle: '1.2.840.10008.1.2',
  explicitLittle: '1.2.840.10008.1.2.1',
  explicitBig: '1.2.840.10008.1.2.2',
  rle: '1.2.840.10008.1.2.5',
  jpegLossless: '1.2.840.10008.1.2.4.57',
  jpegLosslessFirstOrder: '1.2.840.10008.1.2.4.70',
  jpegLs: '1.2.840.10008.1.2.4.80',
  jpeg2000: '1.2.840.10008.1.2.4.90',
  htj2k: '1.2.840.10008.1.2.4.201',
  htj2kRpcl: '1.2.840.10008.1.2.4.202',
  deflatedFrame: '1.2.840.10008.1.2.8.1',
} as const;
