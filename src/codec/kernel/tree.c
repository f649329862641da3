/*
 * Walks down the tree of keys (FORMAT.md 4.1): each step is HMAC-SHA256 of the node's key over a message of less than one block, which is chosen by a bit of the
 * path. `walk4` takes four keys down four paths at once, a key a lane; `walk1` takes one.
 *
 * Memory, all static: `blocks` holds the messages as HMAC's second inner block, padded, in words; `paths` says for each step which block each lane takes;
 * `lanes` holds the keys, word by word, and afterwards the keys below. Whoever calls wipes `lanes`; nothing of a key stays anywhere else but on the stack,
 * which the next walk writes over.
 *
 * SHA-256 as FIPS 180-4 has it, HMAC as RFC 2104; the rounds are written once and compiled for both widths.
 */
#include <stdint.h>
#include <wasm_simd128.h>

#define LANES 4
#define KEY_WORDS 8
#define BLOCK_WORDS 16
#define STEPS_MAX 96
#define BLOCKS_MAX 2

static uint32_t lanes[KEY_WORDS * LANES] __attribute__((aligned(16)));
static uint32_t blocks[BLOCKS_MAX * BLOCK_WORDS];
static uint8_t paths[STEPS_MAX * LANES];

/* The first 32 bits of the fractions of the cube roots of the first 64 primes. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* The first 32 bits of the fractions of the square roots of the first 8 primes. */
static const uint32_t initial_state[KEY_WORDS] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

#define INNER_PAD 0x36363636u
#define OUTER_PAD 0x5c5c5c5cu

#define WORD uint32_t
#define NAME(name) name##1
#define SPLAT(x) (x)
#define ADD(a, b) ((a) + (b))
#define XOR(a, b) ((a) ^ (b))
#define AND(a, b) ((a) & (b))
#define SHR(x, n) ((x) >> (n))
#define SHL(x, n) ((x) << (n))
#include "tree-rounds.h"
#undef WORD
#undef NAME
#undef SPLAT
#undef ADD
#undef XOR
#undef AND
#undef SHR
#undef SHL

#define WORD v128_t
#define NAME(name) name##4
#define SPLAT(x) wasm_u32x4_splat(x)
#define ADD(a, b) wasm_i32x4_add(a, b)
#define XOR(a, b) wasm_v128_xor(a, b)
#define AND(a, b) wasm_v128_and(a, b)
#define SHR(x, n) wasm_u32x4_shr(x, n)
#define SHL(x, n) wasm_i32x4_shl(x, n)
#include "tree-rounds.h"

__attribute__((export_name("lanesAt"))) uint32_t *lanes_at(void) { return lanes; }

__attribute__((export_name("blocksAt"))) uint32_t *blocks_at(void) { return blocks; }

__attribute__((export_name("pathsAt"))) uint8_t *paths_at(void) { return paths; }

/* One key, in the first of the four lanes. */
__attribute__((export_name("walk1"))) void walk1(uint32_t steps) {
  uint32_t key[KEY_WORDS];
  for (uint32_t word = 0; word < KEY_WORDS; word++) key[word] = lanes[word * LANES];
  for (uint32_t step = 0; step < steps && step < STEPS_MAX; step++) {
    uint32_t message[BLOCK_WORDS];
    const uint32_t *block = &blocks[(paths[step * LANES] % BLOCKS_MAX) * BLOCK_WORDS];
    for (uint32_t word = 0; word < BLOCK_WORDS; word++) message[word] = block[word];
    step1(key, message);
  }
  for (uint32_t word = 0; word < KEY_WORDS; word++) lanes[word * LANES] = key[word];
}

__attribute__((export_name("walk4"))) void walk4(uint32_t steps) {
  v128_t key[KEY_WORDS];
  for (uint32_t word = 0; word < KEY_WORDS; word++) key[word] = wasm_v128_load(&lanes[word * LANES]);
  for (uint32_t step = 0; step < steps && step < STEPS_MAX; step++) {
    v128_t message[BLOCK_WORDS];
    const uint32_t *block[LANES];
    for (uint32_t lane = 0; lane < LANES; lane++) block[lane] = &blocks[(paths[step * LANES + lane] % BLOCKS_MAX) * BLOCK_WORDS];
    for (uint32_t word = 0; word < BLOCK_WORDS; word++)
      message[word] = wasm_u32x4_make(block[0][word], block[1][word], block[2][word], block[3][word]);
    step4(key, message);
  }
  for (uint32_t word = 0; word < KEY_WORDS; word++) wasm_v128_store(&lanes[word * LANES], key[word]);
}
