// What a header says of how its pixels are to be read and shown, as plain values for the pixel library.
//
// Invariants: what a frame says for itself (functional groups) goes before what all of them share, and that before the outermost data set; what is not said is
// left out and never made up.

import {
  type DataSet,
  type ImageShape,
  type LookupTable,
  lookupTableOf,
  type RenderOptions,
  tags,
} from '../dicom/index.ts';

const own = {
  ModalityLUTSequence: 0x0028_3000,
  VOILUTSequence: 0x0028_3010,
  VOILUTFunction: 0x0028_1056,
  PixelAspectRatio: 0x0028_0034,
  PixelPaddingRangeLimit: 0x0028_0121,
  PresentationLUTShape: 0x2050_0020,
  PixelValueTransformationSequence: 0x0028_9145,
  FrameVOILUTSequence: 0x0028_9132,
  PixelMeasuresSequence: 0x0028_9110,
} as const;

/** Descriptors and data of red, green and blue; the segmented data behind. */
const paletteTags = [
  [0x0028_1101, 0x0028_1201, 0x0028_1221],
  [0x0028_1102, 0x0028_1202, 0x0028_1222],
  [0x0028_1103, 0x0028_1203, 0x0028_1223],
] as const;

export type ShownFacts = Pick<RenderOptions, 'modality' | 'voi' | 'inverted' | 'padding' | 'pixelAspect'>;
type Window = { readonly center: number; readonly width: number; readonly shape: string | undefined };

export function imageShapeOf(header: DataSet, pixelTag: number = tags.PixelData): ImageShape {
  const number = (tag: number, fallback: number): number => header.number(tag) ?? fallback;
  const bitsAllocated = number(tags.BitsAllocated, 0);
  const bitsStored = number(tags.BitsStored, bitsAllocated);
  const photometric = header.string(tags.PhotometricInterpretation) ?? '';
  return {
    rows: number(tags.Rows, 0),
    columns: number(tags.Columns, 0),
    samplesPerPixel: number(tags.SamplesPerPixel, 1),
    bitsAllocated,
    bitsStored,
    highBit: number(tags.HighBit, bitsStored - 1),
    pixelRepresentation: header.number(tags.PixelRepresentation) === 1 ? 1 : 0,
    photometricInterpretation: photometric,
    planarConfiguration: header.number(tags.PlanarConfiguration) === 1 ? 1 : 0,
    floatingPoint: pixelTag !== tags.PixelData,
    palette: photometric === 'PALETTE COLOR' ? paletteOf(header) : undefined,
  };
}

function paletteOf(header: DataSet): ImageShape['palette'] {
  const signed = header.number(tags.PixelRepresentation) === 1;
  const [red, green, blue] = paletteTags.map(([descriptor, plain, segmented]) => {
    const data = header.bytes(plain);
    const pieces = header.bytes(segmented);
    return tableOf(header.numbers(descriptor), data ?? pieces, { signed, isSegmented: data === undefined });
  });
  return red === undefined || green === undefined || blue === undefined ? undefined : { red, green, blue };
}

function tableOf(
  descriptor: readonly number[],
  data: Uint8Array | undefined,
  how: { readonly signed: boolean; readonly isSegmented: boolean },
): LookupTable | undefined {
  const [count, first, bits] = descriptor.map((each) => each & 0xffff);
  if (data === undefined || count === undefined || first === undefined || bits === undefined) return undefined;
  return lookupTableOf({ descriptor: [count, first, bits], data, ...how });
}

/** Of a frame, counted from 1. `window` stands for what the header says. */
export function shownFactsOf(header: DataSet, frame: number, window: Window | undefined): ShownFacts {
  const padding = header.number(tags.PixelPaddingValue);
  return {
    modality: modalityOf(header, frame),
    voi: voiOf(header, frame, window),
    inverted: header.string(own.PresentationLUTShape) === 'INVERSE',
    padding: padding === undefined ? undefined : { value: padding, limit: header.number(own.PixelPaddingRangeLimit) },
    pixelAspect: aspectOf(header, frame),
  };
}

/** Where a frame's facts of a kind stand. */
function holderOf(header: DataSet, frame: number, sequence: number): DataSet {
  const perFrame = header.items(tags.PerFrameFunctionalGroupsSequence)[frame - 1]?.items(sequence)[0];
  return perFrame ?? header.items(tags.SharedFunctionalGroupsSequence)[0]?.items(sequence)[0] ?? header;
}

function lookupIn(holder: DataSet, sequence: number, header: DataSet): LookupTable | undefined {
  const [item] = holder.items(sequence);
  if (item === undefined) return undefined;
  const signed = header.number(tags.PixelRepresentation) === 1;
  return tableOf(item.numbers(tags.LUTDescriptor), item.bytes(tags.LUTData), { signed, isSegmented: false });
}

function modalityOf(header: DataSet, frame: number): ShownFacts['modality'] {
  const holder = holderOf(header, frame, own.PixelValueTransformationSequence);
  const table = lookupIn(holder, own.ModalityLUTSequence, header);
  if (table !== undefined) return { table };
  const slope = holder.number(tags.RescaleSlope);
  const intercept = holder.number(tags.RescaleIntercept);
  return slope === undefined && intercept === undefined ? undefined : { slope: slope ?? 1, intercept: intercept ?? 0 };
}

function voiOf(header: DataSet, frame: number, asked: Window | undefined): ShownFacts['voi'] {
  const holder = holderOf(header, frame, own.FrameVOILUTSequence);
  const [center, width] = [holder.number(tags.WindowCenter), holder.number(tags.WindowWidth)];
  const said =
    center === undefined || width === undefined
      ? undefined
      : { center, width, shape: holder.string(own.VOILUTFunction) };
  const window = asked ?? said;
  if (window !== undefined) {
    const shape = (['LINEAR', 'LINEAR_EXACT', 'SIGMOID'] as const).find((each) => each === window.shape);
    return { kind: 'window', center: window.center, width: window.width, shape };
  }
  const table = lookupIn(holder, own.VOILUTSequence, header);
  return table === undefined ? undefined : { kind: 'table', table };
}

function aspectOf(header: DataSet, frame: number): number | undefined {
  const said = header.numbers(own.PixelAspectRatio);
  const [height, width] =
    said.length === 2 ? said : holderOf(header, frame, own.PixelMeasuresSequence).numbers(tags.PixelSpacing);
  return height !== undefined && width !== undefined && height > 0 && width > 0 ? height / width : undefined;
}
