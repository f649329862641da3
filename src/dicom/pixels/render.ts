// A plain frame as a picture that anything can show: levels, scaled into a viewport, as JPEG, PNG or GIF.
//
// Undefined: the frame's photometric interpretation or width is not known here, so nothing is shown rather than something wrong.

import { encodeGif } from './gif.ts';
import { checkShape, frameBytesOf, type PlainFrame } from './image-shape.ts';
import { encodeJpeg } from './jpeg-encode.ts';
import { type PictureSource, pictureOf, type Shown } from './picture-source.ts';
import { malformedPixels, pixelsBeyond } from './pixel-fault.ts';
import { renderedPixelsMax, sideMax } from './pixel-limits.ts';
import { encodePng } from './png.ts';
import { type Raster, type SourceArea, scalePicture } from './scale-picture.ts';

export type Viewport = {
  readonly columns: number;
  readonly rows: number;
  /** The part of the frame that is shown; all of it where nothing is said. */
  readonly area?: SourceArea | undefined;
  /** Whether a smaller picture is blown up. */
  readonly mayEnlarge?: boolean | undefined;
};

export type PictureFormat =
  | { readonly kind: 'jpeg'; readonly quality: number }
  /** Sixteen bits are kept of grey; colour has eight. */
  | { readonly kind: 'png'; readonly bits?: 8 | 16 | undefined }
  /** Colours are those of a fixed table. */
  | { readonly kind: 'gif' };

export type RenderOptions = Shown & {
  readonly format: PictureFormat;
  readonly viewport?: Viewport | undefined;
  /** Height of a pixel over its width, where it is not square. */
  readonly pixelAspect?: number | undefined;
};

export type Picture = {
  readonly contentType: 'image/jpeg' | 'image/png' | 'image/gif';
  readonly bytes: Uint8Array;
  readonly rows: number;
  readonly columns: number;
};

export function renderFrame(frame: PlainFrame, options: RenderOptions): Picture | undefined {
  const { format } = options;
  const most = format.kind === 'png' && format.bits === 16 && frame.shape.samplesPerPixel === 1 ? 65_535 : 255;
  const raster = rasterOf(frame, options, most);
  if (raster === undefined) return undefined;
  const { rows, columns } = raster;
  switch (format.kind) {
    case 'jpeg':
      return { contentType: 'image/jpeg', bytes: encodeJpeg(raster, format.quality), rows, columns };
    case 'png':
      return { contentType: 'image/png', bytes: encodePng(raster), rows, columns };
    case 'gif':
      return { contentType: 'image/gif', bytes: encodeGif(raster), rows, columns };
  }
}

function rasterOf(frame: PlainFrame, options: Omit<RenderOptions, 'format'>, most: 255 | 65_535): Raster | undefined {
  checkShape(frame.shape);
  if (frame.bytes.byteLength < frameBytesOf(frame.shape))
    throw malformedPixels('fewer bytes than the frame has pixels');
  const source = pictureOf(frame, options, most);
  if (source === undefined) return undefined;
  const area = areaOf(source, options.viewport?.area);
  return scalePicture(source, area, sizeOf(area, options), most);
}

/** The area cut to what there is of the picture. */
function areaOf(source: PictureSource, area: SourceArea | undefined): SourceArea {
  if (area === undefined) return { x: 0, y: 0, columns: source.columns, rows: source.rows };
  const x = Math.min(source.columns - 1, Math.max(0, Math.floor(area.x)));
  const y = Math.min(source.rows - 1, Math.max(0, Math.floor(area.y)));
  const columns = Math.max(1, Math.min(source.columns - x, Math.floor(area.columns)));
  const rows = Math.max(1, Math.min(source.rows - y, Math.floor(area.rows)));
  return { ...area, x, y, columns, rows };
}

/** As large as fits into the viewport without changing what is square. */
function sizeOf(
  area: SourceArea,
  { viewport, pixelAspect }: Pick<RenderOptions, 'viewport' | 'pixelAspect'>,
): {
  readonly rows: number;
  readonly columns: number;
} {
  const aspect = pixelAspect !== undefined && Number.isFinite(pixelAspect) && pixelAspect > 0 ? pixelAspect : 1;
  // The longer side of a pixel is drawn out, so that no sample is lost.
  const height = area.rows * Math.max(1, aspect);
  const width = area.columns * Math.max(1, 1 / aspect);
  const fit = viewport === undefined ? 1 : Math.min(viewport.columns / width, viewport.rows / height);
  const scale = viewport?.mayEnlarge === true ? fit : Math.min(1, fit);
  const rows = Math.max(1, Math.round(height * scale));
  const columns = Math.max(1, Math.round(width * scale));
  if (!(rows * columns <= renderedPixelsMax && Math.max(rows, columns) <= sideMax))
    throw pixelsBeyond('pixels of a picture');
  return { rows, columns };
}

/** Longest side of a thumbnail. */
const thumbnailSideMax = 128;
/** What a thumbnail should stay below; noise may not. */
export const thumbnailBytesWanted = 4096;
const thumbnailQualities = [80, 65, 50, 35, 20] as const;

export type ThumbnailOptions = Shown & Pick<RenderOptions, 'pixelAspect'>;

/** A small JPEG: at most 128 pixels a side, of two to four kilobytes. */
export function renderThumbnail(frame: PlainFrame, shown: ThumbnailOptions = {}): Picture | undefined {
  const viewport = { columns: thumbnailSideMax, rows: thumbnailSideMax };
  const raster = rasterOf(frame, { ...shown, viewport }, 255);
  if (raster === undefined) return undefined;
  let bytes = new Uint8Array(0);
  for (const quality of thumbnailQualities) {
    bytes = new Uint8Array(encodeJpeg(raster, quality));
    if (bytes.byteLength <= thumbnailBytesWanted) break;
  }
  return { contentType: 'image/jpeg', bytes, rows: raster.rows, columns: raster.columns };
}
