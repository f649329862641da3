// Owns: what both directions of the high-throughput block coder share (ITU-T T.814): the codes of quads, the adaptive run lengths of quads that are empty.
//
// A block is coded in quads of 2 x 2 samples, two quads at a time, row of quads after row. Samples of a quad are numbered down, then to the right: 0 and 1 in its
// first column, 2 and 3 in its second. One bit of four says something of each.

#ifndef STELE_J2K_HT_H
#define STELE_J2K_HT_H

#include "base.h"

enum { quadCodesFirstCount = 444, quadCodesOtherCount = 358, htColumnsMax = 1024 };

extern const u32 quadCodesFirst[quadCodesFirstCount];
extern const u32 quadCodesOther[quadCodesOtherCount];

/**
 * What a code means, by context and the next seven bits: length | has an offset << 3 | significance << 4 | exponents of 1 << 8 | known exponents << 12.
 * [0]: the first row of quads.
 */
extern u16 quadMeanings[2][1024];
/** Which code to write, by context, significance and the samples whose exponent is the quad's (0 without an offset): code | length << 8 | known exponents << 12. */
extern u16 quadChoices[2][8][16][16];
void fillQuadTables(void);

/** Exponents of the run lengths, by state (T.814, table 2). */
extern const u8 runExponents[13];


#endif
