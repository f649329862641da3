// What a coded stream begins and ends with, so far as its fragments must be told apart without an offset table.

/** JPEG and JPEG-LS (FF D8 FF), JPEG 2000 (FF 4F FF 51), a JP2 file. */
export function beginsStream(head: Uint8Array): boolean {
  const isJpeg = head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff;
  const isCodestream = head[0] === 0xff && head[1] === 0x4f && head[2] === 0xff && head[3] === 0x51;
  const isJp2 = head[0] === 0 && head[3] === 12 && head[4] === 0x6a && head[5] === 0x50;
  return isJpeg || isCodestream || isJp2;
}

/** The end of any of them is FF D9, with at most a few bytes of padding behind it. */
export function endsStream(tail: Uint8Array): boolean {
  let end = tail.length;
  while (end > 2 && tail[end - 1] === 0) end -= 1;
  if (tail[end - 2] === 0xff && tail[end - 1] === 0xd9) return true;
  // Some encoders pad with FF.
  while (end > 2 && tail[end - 1] === 0xff) end -= 1;
  return tail[end - 2] === 0xff && tail[end - 1] === 0xd9;
}
