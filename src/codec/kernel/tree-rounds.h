/* SHA-256's rounds and a step down the tree, for words of the width that the including file names. */

#define ROTR(x, n) XOR(SHR(x, n), SHL(x, 32 - (n)))
#define UPPER0(x) XOR(XOR(ROTR(x, 2), ROTR(x, 13)), ROTR(x, 22))
#define UPPER1(x) XOR(XOR(ROTR(x, 6), ROTR(x, 11)), ROTR(x, 25))
#define LOWER0(x) XOR(XOR(ROTR(x, 7), ROTR(x, 18)), SHR(x, 3))
#define LOWER1(x) XOR(XOR(ROTR(x, 17), ROTR(x, 19)), SHR(x, 10))

/* One block, whose 16 words are `w`, into `state`; `w` is written over. */
static inline __attribute__((always_inline)) void NAME(compress)(WORD state[KEY_WORDS], WORD w[BLOCK_WORDS]) {
  WORD a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
#pragma clang loop unroll(full)
  for (int t = 0; t < 64; t++) {
    if (t >= BLOCK_WORDS) {
      WORD extended = ADD(LOWER1(w[(t - 2) & 15]), ADD(w[(t - 7) & 15], LOWER0(w[(t - 15) & 15])));
      w[t & 15] = ADD(w[t & 15], extended);
    }
    WORD first = ADD(ADD(h, UPPER1(e)), ADD(XOR(g, AND(e, XOR(f, g))), ADD(SPLAT(round_constants[t]), w[t & 15])));
    WORD second = ADD(UPPER0(a), XOR(AND(a, b), AND(c, XOR(a, b))));
    h = g;
    g = f;
    f = e;
    e = ADD(d, first);
    d = c;
    c = b;
    b = a;
    a = ADD(first, second);
  }
  state[0] = ADD(state[0], a);
  state[1] = ADD(state[1], b);
  state[2] = ADD(state[2], c);
  state[3] = ADD(state[3], d);
  state[4] = ADD(state[4], e);
  state[5] = ADD(state[5], f);
  state[6] = ADD(state[6], g);
  state[7] = ADD(state[7], h);
}

/* HMAC's first block of either hash: the key, padded with zeros, each byte changed by the pad. */
static __attribute__((noinline)) void NAME(keyed)(WORD state[KEY_WORDS], const WORD key[KEY_WORDS], uint32_t pad) {
  WORD w[BLOCK_WORDS];
  for (int word = 0; word < KEY_WORDS; word++) w[word] = XOR(key[word], SPLAT(pad));
  for (int word = KEY_WORDS; word < BLOCK_WORDS; word++) w[word] = SPLAT(pad);
  for (int word = 0; word < KEY_WORDS; word++) state[word] = SPLAT(initial_state[word]);
  NAME(compress)(state, w);
}

static __attribute__((noinline)) void NAME(more)(WORD state[KEY_WORDS], WORD w[BLOCK_WORDS]) { NAME(compress)(state, w); }

/* The key becomes HMAC-SHA256(key, message); the message is a padded block, and written over. */
static void NAME(step)(WORD key[KEY_WORDS], WORD message[BLOCK_WORDS]) {
  WORD inner[KEY_WORDS];
  WORD w[BLOCK_WORDS];
  NAME(keyed)(inner, key, INNER_PAD);
  NAME(more)(inner, message);
  WORD outer[KEY_WORDS];
  NAME(keyed)(outer, key, OUTER_PAD);
  for (int word = 0; word < KEY_WORDS; word++) w[word] = inner[word];
  w[KEY_WORDS] = SPLAT(0x80000000u);
  for (int word = KEY_WORDS + 1; word < BLOCK_WORDS - 1; word++) w[word] = SPLAT(0);
  w[BLOCK_WORDS - 1] = SPLAT((64 + 32) * 8);
  NAME(more)(outer, w);
  for (int word = 0; word < KEY_WORDS; word++) key[word] = outer[word];
}

#undef ROTR
#undef UPPER0
#undef UPPER1
#undef LOWER0
#undef LOWER1
