// A value in a statement's place, the same on both databases.

/** Booleans are 0 and 1. A Uint8Array is a blob (bytea). A bigint must fit 64 signed bits, a number 53. */
export type SqlValue = null | number | bigint | string | Uint8Array;
