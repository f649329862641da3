// The limits of everything that is done with pixels. What meets one is answered LIMIT_EXCEEDED, before memory is taken.

const mebibyte = 1024 * 1024;

/** Plain bytes of one frame: 16,384 x 16,384 pixels of two bytes. Larger images come in tiles, each a frame. */
export const frameBytesMax = 512 * mebibyte;

/** Compressed bytes of one frame: noise grows a little in every codec. */
export const codedBytesMax = frameBytesMax + 64 * mebibyte;

export const samplesPerPixelMax = 4;
export const sideMax = 65_535;

/** Memory of one WebAssembly instance. An allocation beyond it fails inside, and the frame is refused. */
export const instanceBytesMax = 3072 * mebibyte;

/** An instance whose memory grew beyond this is dropped after its work, so that one large frame costs nothing later. */
export const instanceKeptBytesMax = 96 * mebibyte;

/** Scans of one JPEG: a progressive one of three components has about ten; thousands of empty ones would each go over all coefficients. */
export const jpegScansMax = 256;

/** Entries of one lookup table: the descriptor cannot say more. */
export const tableEntriesMax = 65_536;

/** Frames of one object that offset tables are kept for. */
export const framesMax = 4_194_304;

/** Bytes of frames under way in the pool, coded and plain together; three quarters for those who wait, one for work in the background. Callers beyond it wait. */
export const pixelPoolBytesMax = 256 * mebibyte;
/** Callers that the pool knows of; more are refused (BUSY). */
export const pixelPoolJobsMax = 16_384;
/** The largest frames take some seconds of a slow machine. */
export const pixelJobMsMax = 120_000;

/** Pixels of a rendered picture. */
export const renderedPixelsMax = 128 * mebibyte;
