"""Plain Python decoders of Stele's pixel codecs, number 3 (fast) and 4 (best), version 1.

Owns: decode_pixel_fast(payload, plain_size, zstd_decompress) and decode_pixel_best(...), which give the plain bytes or raise
PixelFault. zstd_decompress is a function from one zstd frame to bytes; it is called only for payloads of mode 1.
Written from docs/formats/pixel-fast.md and docs/formats/pixel-best.md, for clarity; a 512 x 512 CT slice takes seconds.
Needs nothing but Python 3.8 or later. Leaves out on purpose: encoding, and checking digests.
"""

import struct


class PixelFault(ValueError):
    """The payload is not what an encoder wrote."""


def _need(condition, what):
    if not condition:
        raise PixelFault(what)


def _plain_modes(payload, plain_size, zstd_decompress):
    """The modes both codecs share; None where the samples are coded."""
    _need(len(payload) >= 1, "empty payload")
    if payload[0] == 2:
        return None
    _need(payload[0] in (0, 1), "unknown mode")
    plain = bytes(payload[1:]) if payload[0] == 0 else zstd_decompress(bytes(payload[1:]))
    _need(len(plain) == plain_size, "another length than was promised")
    return plain


def _signed16(v):
    return ((v + 0x8000) & 0xFFFF) - 0x8000


def _signed32(v):
    return ((v + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def _unfold(z):
    return (z >> 1) ^ -(z & 1)


# --- fast ---------------------------------------------------------------------------------------------------------------------


def decode_pixel_fast(payload, plain_size, zstd_decompress=None):
    plain = _plain_modes(payload, plain_size, zstd_decompress)
    if plain is not None:
        return plain
    _need(len(payload) >= 11, "head cut short")
    flags, apart, rows, row_samples = struct.unpack_from("<BBII", payload, 1)
    _need(flags <= 3 and 1 <= apart <= 4 and rows >= 1 and row_samples >= 1, "bad head")
    wide, big_endian = bool(flags & 1), bool(flags & 2)
    tail = plain_size - rows * row_samples * (2 if wide else 1)
    _need(0 <= tail <= len(payload) - 11, "head does not fit the promised length")
    stream = bytes(payload[11 : len(payload) - tail])
    try:
        samples = _fast_rows(stream, rows, row_samples, apart, wide)
    except (IndexError, struct.error) as cause:
        raise PixelFault("stream cut short") from cause
    form = (">" if big_endian else "<") + str(len(samples)) + ("H" if wide else "B")
    return struct.pack(form, *samples) + bytes(payload[len(payload) - tail :])


def _prefix_table(lengths):
    """Slots of 11 bits to (token, length)."""
    _need(sum(2048 >> n for n in lengths if n) <= 2048, "code lengths claim too much")
    slots, code = [(0, 0)] * 2048, 0
    for length in range(1, 12):
        for token, n in enumerate(lengths):
            if n == length:
                turned = int(format(code, "0%db" % length)[::-1], 2)
                for slot in range(turned, 2048, 1 << length):
                    slots[slot] = (token, length)
                code += 1
        code <<= 1
    return slots


def _fast_rows(stream, rows, row_samples, apart, wide):
    kind, context_count = stream[0], stream[1]
    _need(kind <= 2 and 1 <= context_count <= 8, "bad stream head")
    edges, at, tables = stream[2 : 1 + context_count], 1 + context_count, []
    for _ in range(context_count):
        count = stream[at]
        packed = stream[at + 1 : at + 1 + (count + 1) // 2]
        _need(count <= 146, "too many tokens")
        lengths = [(packed[t // 2] >> (t % 2 * 4)) & 15 for t in range(count)]
        _need(all(n <= 11 for n in lengths), "code too long")
        tables.append(_prefix_table(lengths))
        at += 1 + (count + 1) // 2
    sizes = struct.unpack_from("<4I", stream, at)
    at += 16
    bits = []  # each stream as one great number, lowest bit first
    for size in sizes:
        _need(at + size <= len(stream), "stream cut short")
        bits.append(int.from_bytes(stream[at : at + size], "little"))
        at += size
    _need(at == len(stream), "bytes after the streams")
    # Great numbers are slow to shift, so each is consumed through a window.
    readers = [_Bits(b, s) for b, s in zip(bits, sizes)]

    mask = 0xFFFF if wide else 0xFF
    north, held, out = [0] * row_samples, [0] * (row_samples + 2 * apart), []
    for _ in range(rows):
        row, held_next = [0] * row_samples, [0] * (row_samples + 2 * apart)
        for i in range(row_samples):
            sides = (held[i] + held[i + 2 * apart] + 1) >> 1
            measure = (held[i + apart] + sides + 1) >> 1
            context = sum(measure > edge for edge in edges)
            reader = readers[i & 3]
            token, length = tables[context][reader.peek(11)]
            reader.skip(length)
            z = token
            if token >= 128:
                extra = 6 + ((token - 128) >> 1)
                z = ((2 + (token & 1)) << extra) + reader.peek(extra)
                reader.skip(extra)
            west = row[i - apart] if i >= apart else 0
            guess = west if kind == 0 else north[i] if kind == 1 else west + north[i] - (north[i - apart] if i >= apart else 0)
            row[i] = (guess + _unfold(z)) & mask
            held_next[i + apart] = min(z, 255)
        out.extend(row)
        north, held = row, held_next
    return out


class _Bits:
    """Bits, lowest first; past the end there are zeros."""

    def __init__(self, number, size):
        self.data, self.at, self.bits, self.count = number.to_bytes(size, "little"), 0, 0, 0

    def peek(self, count):
        while self.count < count:
            chunk = self.data[self.at : self.at + 8].ljust(8, b"\0")
            self.bits |= int.from_bytes(chunk, "little") << self.count
            self.at += 8
            self.count += 64
        return self.bits & ((1 << count) - 1)

    def skip(self, count):
        self.bits >>= count
        self.count -= count


# --- best ---------------------------------------------------------------------------------------------------------------------


def decode_pixel_best(payload, plain_size, zstd_decompress=None):
    plain = _plain_modes(payload, plain_size, zstd_decompress)
    if plain is not None:
        return plain
    _need(len(payload) >= 11, "head cut short")
    flags, samples, rows, columns = struct.unpack_from("<BBII", payload, 1)
    _need(flags <= 31 and 1 <= samples <= 4 and rows >= 1 and 1 <= columns <= 65535, "bad head")
    wide, big_endian, flipped, decorrelated, planar = (bool(flags >> k & 1) for k in range(5))
    tail = plain_size - rows * columns * samples * (2 if wide else 1)
    _need(0 <= tail <= len(payload) - 11, "head does not fit the promised length")
    _need(not decorrelated or samples == 3, "only three components can be decorrelated")
    at, end, planes = 11, len(payload) - tail, []
    for _ in range(samples):
        try:
            used, plane = _Plane(bytes(payload[at:end]), rows, columns).decode()
        except (IndexError, struct.error) as cause:
            raise PixelFault("stream cut short") from cause
        at += used
        planes.append(plane)
    _need(at == end, "bytes between the planes and the tail")
    if decorrelated:
        for k in (0, 2):
            planes[k] = [a + b for a, b in zip(planes[k], planes[1])]
    mask, flip = (0xFFFF, 0x8000 if flipped else 0) if wide else (0xFF, 0)
    values = [0] * (rows * columns * samples)
    for k, plane in enumerate(planes):
        plane = [(v & mask) ^ flip for v in plane]
        if planar:
            values[k * rows * columns : (k + 1) * rows * columns] = plane
        else:
            values[k::samples] = plane
    form = (">" if big_endian else "<") + str(len(values)) + ("H" if wide else "B")
    return struct.pack(form, *values) + bytes(payload[end:])


class _Side:
    """The adaptive binary range decoder of the side information."""

    def __init__(self, data):
        self.data, self.at, self.range, self.code = data, 0, 0xFFFFFFFF, 0
        for _ in range(4):
            self.code = self.code << 8 | self._byte()

    def _byte(self):
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def _settle(self):
        while self.range < 1 << 24:
            self.range = self.range << 8
            self.code = (self.code << 8 | self._byte()) & 0xFFFFFFFF

    def bit(self, odds, index):
        split = (self.range >> 12) * odds[index]
        if self.code >= split:
            self.code -= split
            self.range -= split
            odds[index] -= odds[index] >> 4
            bit = 1
        else:
            self.range = split
            odds[index] += (4096 - odds[index]) >> 4
            bit = 0
        self._settle()
        return bit

    def direct(self, bits):
        value = 0
        for _ in range(bits):
            self.range >>= 1
            bit = self.code >= self.range
            if bit:
                self.code -= self.range
            value = value << 1 | bit
            self._settle()
        return value

    def number(self, odds):
        length = 0
        while length < 30 and self.bit(odds, length):
            length += 1
        return (1 << length | self.direct(length)) - 1

    def signed(self, odds):
        return _unfold(self.number(odds))


def _odds(count):
    return [2048] * count


class _Plane:
    def __init__(self, data, rows, columns):
        self.rows, self.columns = rows, columns
        size_side, size_raw, size_states = struct.unpack_from("<3I", data, 0)
        self.used = 12 + size_side + size_raw + size_states
        _need(self.used <= len(data) and size_states >= 32, "stream cut short")
        side, raw = data[12 : 12 + size_side], data[12 + size_side : 12 + size_side + size_raw]
        self.raw = _Bits(int.from_bytes(raw, "little"), size_raw)
        states = data[12 + size_side + size_raw : self.used]
        self.x = list(struct.unpack_from("<8I", states, 0))
        self.words, self.words_at = struct.unpack("<%dH" % ((size_states - 32) // 2), states[32 : 32 + (size_states - 32) // 2 * 2]), 0
        self.read_side(_Side(side))

    def read_side(self, side):
        self.values = None
        if side.direct(1):
            odds, count = _odds(32), side.direct(16) + 1
            self.values = [side.direct(16)]
            for _ in range(count - 1):
                self.values.append(self.values[-1] + side.number(odds) + 1)
            _need(self.values[-1] <= 65535, "a value out of range")
        weight_odds, round_odds, edge_odds = _odds(32), _odds(32), _odds(32)
        self.low, self.high = _signed16(side.direct(16)), _signed16(side.direct(16))
        classes, contexts = side.direct(2) + 1, side.direct(4) + 1
        self.shift, self.calm = side.direct(4), side.direct(12)
        self.class_edges = self.read_edges(side, edge_odds, classes - 1)
        self.context_edges = self.read_edges(side, edge_odds, contexts - 1)
        self.weights, self.rounds = [], []
        for _ in range(classes):
            self.weights.append([_signed16(side.signed(weight_odds)) for _ in range(16)])
            self.rounds.append(side.signed(round_odds))
        self.read_frequencies(side, contexts)

    @staticmethod
    def read_edges(side, odds, count):
        edges, last = [], 0
        for _ in range(count):
            last = (last + side.number(odds)) & 0xFFFF
            edges.append(last)
        return edges

    def read_frequencies(self, side, contexts):
        odds = [[_odds(17) for _ in range(16)] for _ in range(3)]
        mantissa_bits, before = side.direct(3), None
        self.slots = []  # per context: 4096 of (token, frequency, start)
        for _ in range(contexts):
            top, left, lengths, frequencies = side.direct(7), 4096, [0] * 104, [0] * 104
            _need(top < 104, "bad token")
            for t in range(104):
                if t == top:
                    lengths[t] = 12
                    continue
                near = lengths[t - 2] if t >= 2 else lengths[0] if t == 1 else 8
                nearer = lengths[t - 1] if t >= 1 else 8
                if before is None:
                    row = odds[0][(near + nearer + 1) >> 1]
                else:
                    row = odds[1 if before[t] == 0 else 2][(near + nearer + 2 * before[t] + 2) >> 2]
                length = 0
                while length < 12 and side.bit(row, length):
                    length += 1
                lengths[t] = length
                if length:
                    extra = min(length - 1, mantissa_bits)
                    frequencies[t] = (1 << extra | side.direct(extra)) << (length - 1 - extra)
                left -= frequencies[t]
                _need(left >= 0, "frequencies claim too much")
            _need(0 < left < 4096, "frequencies do not sum")
            frequencies[top], lengths[top] = left, left.bit_length()
            before, slots, start = lengths, [], 0
            for t, f in enumerate(frequencies):
                slots += [(t, f, start)] * f
                start += f
            self.slots.append(slots)

    def advance(self, lane, frequency, start):
        state = self.x[lane]
        state = frequency * (state >> 12) + (state & 4095) - start
        if state < 1 << 15:
            _need(self.words_at < len(self.words), "states cut short")
            state = state << 16 | self.words[self.words_at]
            self.words_at += 1
        self.x[lane] = state & 0xFFFFFFFF

    def symbol(self, lane, measure):
        context = sum(measure > edge for edge in self.context_edges)
        token, frequency, start = self.slots[context][self.x[lane] & 4095]
        self.advance(lane, frequency, start)
        if token < 64:
            return _unfold(token)
        extra = 4 + ((token - 64) >> 2)
        z = ((4 + (token & 3)) << extra) + self.raw.peek(extra)
        self.raw.skip(extra)
        return _unfold(z)

    def is_calm(self):
        calm = (self.x[0] & 4095) < self.calm
        self.advance(0, self.calm if calm else 4096 - self.calm, 0 if calm else self.calm)
        return calm

    def decode(self):
        rows, columns = self.rows, self.columns
        # Pixels p and absolute errors e; index column + 3. Rows -3..-1 are row 0 delayed by 3 columns each, and lie at the list's end.
        self.p = [[0] * (columns + 5) for _ in range(rows)] + [[0] * (columns + 5) for _ in range(3)]
        self.e = [[0] * (columns + 5) for _ in range(rows)] + [[0] * (columns + 5) for _ in range(3)]
        for group in range(0, rows, 8):
            here = min(8, rows - group)
            for step in range(columns + 21):
                lanes = [j for j in range(here) if 0 <= step - 3 * j < columns]
                whole = group > 0 and len(lanes) == 8
                for j in lanes:
                    if step == 3 * j:
                        r = group + j
                        for k in (1, 2, 3):  # left of the plane: the rows above, one column on for each
                            self.p[r][3 - k] = self.p[r - k][3] if r - k >= 0 else 0
                unrest = [self.unrest(group + j, step - 3 * j) for j in lanes]
                if whole and not any(measure for _, measure in unrest) and self.is_calm():
                    for j in lanes:
                        self.put(group + j, step - 3 * j, self.p[group + j][step - 3 * j + 2], 0)
                    continue
                errors = [self.symbol(j, measure) for j, (_, measure) in zip(lanes, unrest)]
                for j, (texture, _), error in zip(lanes, unrest, errors):
                    r, c = group + j, step - 3 * j
                    self.put(r, c, _signed16(self.guess(r, c, texture) + error), min(abs(_signed16(error)), 32768))
        _need(self.words_at == len(self.words), "words left over")
        plane = [v for row in self.p[:rows] for v in row[3 : 3 + columns]]
        if self.values is not None:
            middle = len(self.values) // 2
            _need(all(0 <= v + middle < len(self.values) for v in plane), "a rank out of range")
            plane = [self.values[v + middle] - 0x8000 for v in plane]
        return self.used, plane

    def put(self, r, c, pixel, error):
        self.p[r][c + 3], self.e[r][c + 3] = pixel, error
        if c == self.columns - 1:
            self.p[r][c + 4 : c + 6] = [pixel, pixel]
        if r == 0:
            for k in (1, 2, 3):
                if c + 3 * k < self.columns + 2:
                    self.p[-k][c + 3 * k + 3], self.e[-k][c + 3 * k + 3] = pixel, error

    def unrest(self, r, c):
        i, p, u, v = c + 3, self.p[r], self.p[r - 1], self.p[r - 2]
        w, n, nw, ne = p[i - 1], u[i], u[i - 1], u[i + 1]
        pairs = ((n, nw), (n, ne), (n, v[i]), (ne, v[i + 1]), (w, nw), (w, p[i - 2]))
        texture = min(65535, sum(abs(_signed16(a - b)) for a, b in pairs))
        e, f = self.e[r], self.e[r - 1]
        return texture, min(65535, texture + 2 * e[i - 1] + 2 * f[i] + f[i - 1] + f[i + 1] + e[i - 2] + self.e[r - 2][i])

    def guess(self, r, c, texture):
        i, p, u, v, t = c + 3, self.p[r], self.p[r - 1], self.p[r - 2], self.p[r - 3]
        w, n, nw = p[i - 1], u[i], u[i - 1]
        saturate = lambda a: max(-32768, min(32767, a))
        median = max(min(saturate(w + saturate(n - nw)), max(w, n)), min(w, n))
        guess = median
        if r >= 3:
            k = sum(texture > edge for edge in self.class_edges)
            near = (w, n, nw, u[i + 1], p[i - 2], v[i], v[i + 1], u[i + 2], v[i - 1], u[i - 2], p[i - 3], t[i], v[i + 2], v[i - 2], u[i - 3], median)
            total = _signed32(self.rounds[k] + sum(a * b for a, b in zip(near, self.weights[k])))
            guess = saturate(total >> self.shift)
        return min(max(guess, self.low), self.high)
