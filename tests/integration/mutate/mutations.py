# SPDX-License-Identifier: MIT
"""
Changes that make a media file hostile: flipped bits, cut ends, zeroed and moved ranges in any file; boxes, EBML elements and transport packets that
are left out, repeated, swapped, emptied or given hostile sizes where the file has them. What is made depends on the bytes and the generator alone.
"""
import struct

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex", b"dinf", b"udta"}
# Tables whose numbers steer a demuxer: how many, how large, where, when.
TABLES = {b"stsz", b"stco", b"co64", b"stsc", b"stts", b"ctts", b"stss", b"elst", b"tkhd", b"mdhd", b"mvhd", b"stsd", b"trun", b"tfhd", b"tfdt", b"trex",
          b"hdlr", b"avcC", b"hvcC", b"esds", b"colr", b"sgpd", b"sbgp", b"sidx"}
EBML_MASTERS = {0x18538067, 0x1654AE6B, 0xAE, 0xE0, 0xE1, 0x1F43B675, 0xA0, 0x114D9B74, 0x1C53BB6B, 0xBB, 0xB7}
EDGES = [0, 1, 2, 7, 8, 9, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff, 2**63 - 1, 2**64 - 1]


def edge(rng, width):
    return rng.choice(EDGES) & ((1 << (8 * width)) - 1)


# ---- any file ----

def flip_bits(rng, data):
    for _ in range(rng.choice([1, 1, 3, 10, 50])):
        at = rng.randrange(len(data))
        data[at] ^= 1 << rng.randrange(8)
    return data


def flip_bits_early(rng, data):
    """Headers are at the front, and few of the bytes."""
    for _ in range(rng.choice([1, 2, 5])):
        at = rng.randrange(min(len(data), 2048))
        data[at] ^= 1 << rng.randrange(8)
    return data


def cut(rng, data):
    return data[: rng.randrange(1, len(data) + 1)]


def cut_front(rng, data):
    return data[rng.randrange(len(data)):]


def some_range(rng, data):
    at = rng.randrange(len(data))
    return at, min(len(data), at + rng.choice([1, 4, 16, 188, 1000, 20000]))


def zero_range(rng, data):
    at, end = some_range(rng, data)
    data[at:end] = bytes(end - at)
    return data


def noise_range(rng, data):
    at, end = some_range(rng, data)
    data[at:end] = rng.randbytes(end - at)
    return data


def remove_range(rng, data):
    at, end = some_range(rng, data)
    del data[at:end]
    return data


def repeat_range(rng, data):
    at, end = some_range(rng, data)
    data[end:end] = data[at:end]
    return data


def hostile_number(rng, data):
    width = rng.choice([1, 2, 4, 8])
    if len(data) > width:
        at = rng.randrange(len(data) - width)
        data[at: at + width] = edge(rng, width).to_bytes(width, rng.choice(["big", "little"]))
    return data


def append_noise(rng, data):
    return data + rng.randbytes(rng.choice([1, 100, 5000]))


ANYWHERE = [flip_bits, flip_bits_early, cut, cut_front, zero_range, noise_range, remove_range, repeat_range, hostile_number, append_noise]


# ---- boxes (MP4, MOV) ----

def list_boxes(data, start=0, end=None):
    """(type, start, end) of each box, those inside others after them."""
    end = len(data) if end is None else end
    found = []
    while start + 8 <= end:
        size, kind = struct.unpack(">I4s", data[start: start + 8])
        if size < 8 or start + size > end:
            break
        found.append((kind, start, start + size))
        if kind in CONTAINERS:
            found += list_boxes(data, start + 8, start + size)
        start += size
    return found


def pick_box(rng, data, kinds=None):
    boxes = [box for box in list_boxes(data) if not kinds or box[0] in kinds]
    return rng.choice(boxes) if boxes else None


def grow_parents(data, at, by):
    """Sizes of what holds the byte at, as if it had been written so."""
    for kind, start, end in list_boxes(data):
        if kind in CONTAINERS and start < at < end:
            data[start: start + 4] = struct.pack(">I", max(8, end - start + by) & 0xffffffff)


def remove_box(rng, data):
    box = pick_box(rng, data)
    if box:
        if rng.random() < 0.7:
            grow_parents(data, box[1], box[1] - box[2])
        del data[box[1]: box[2]]
    return data


def repeat_box(rng, data):
    box = pick_box(rng, data)
    if box:
        if rng.random() < 0.7:
            grow_parents(data, box[1], box[2] - box[1])
        data[box[2]: box[2]] = data[box[1]: box[2]]
    return data


def swap_boxes(rng, data):
    first, second = pick_box(rng, data), pick_box(rng, data)
    if first and second and (first[2] <= second[1] or second[2] <= first[1]):
        first, second = sorted((first, second), key=lambda box: box[1])
        one, two = bytes(data[first[1]: first[2]]), bytes(data[second[1]: second[2]])
        data[second[1]: second[2]] = one
        data[first[1]: first[2]] = two
    return data


def hostile_box_size(rng, data):
    box = pick_box(rng, data)
    if box:
        size = rng.choice([edge(rng, 4), (box[2] - box[1] + rng.randrange(-9, 10)) & 0xffffffff])
        data[box[1]: box[1] + 4] = struct.pack(">I", size)
    return data


def hostile_table(rng, data):
    """A number in a table becomes one at an edge: a count, a size, an offset, a time."""
    box = pick_box(rng, data, TABLES)
    if box and box[2] - box[1] >= 16:
        for _ in range(rng.choice([1, 1, 2, 5])):
            at = box[1] + 8 + 4 * rng.randrange((box[2] - box[1] - 12) // 4 + 1)
            data[at: at + 4] = struct.pack(">I", rng.choice([edge(rng, 4), rng.getrandbits(32), rng.getrandbits(10)]))
    return data


def zero_box(rng, data):
    box = pick_box(rng, data)
    if box:
        data[box[1] + 8: box[2]] = bytes(box[2] - box[1] - 8)
    return data


BOXES = [remove_box, repeat_box, swap_boxes, hostile_box_size, hostile_table, hostile_table, zero_box]


# ---- EBML (Matroska, WebM) ----

def read_vint(data, at, keep_marker):
    if at >= len(data) or data[at] == 0:
        return None
    width = 9 - data[at].bit_length()
    if at + width > len(data):
        return None
    value = int.from_bytes(data[at: at + width], "big")
    return (value if keep_marker else value & ((1 << (7 * width)) - 1)), width


def list_elements(data, start=0, end=None):
    """(id, start, where its size stands, how wide that is, where its content begins, end)."""
    end = len(data) if end is None else end
    found = []
    while start < end and len(found) < 5000:
        name = read_vint(data, start, True)
        size = read_vint(data, start + name[1], False) if name else None
        if not size:
            break
        body = start + name[1] + size[1]
        unknown = size[0] == (1 << (7 * size[1])) - 1
        stop = end if unknown else body + size[0]
        if stop > end:
            break
        found.append((name[0], start, start + name[1], size[1], body, stop))
        if name[0] in EBML_MASTERS:
            found += list_elements(data, body, stop)
        start = stop
    return found


def pick_element(rng, data):
    elements = list_elements(data)
    return rng.choice(elements) if elements else None


def hostile_element_size(rng, data):
    element = pick_element(rng, data)
    if element:
        width = element[3]
        most = (1 << (7 * width)) - 1
        size = rng.choice([0, 1, most, most - 1, rng.randrange(most + 1), max(0, element[5] - element[4] + rng.randrange(-3, 4))]) & most
        data[element[2]: element[2] + width] = (size | 1 << (7 * width)).to_bytes(width, "big")
    return data


def remove_element(rng, data):
    element = pick_element(rng, data)
    if element:
        del data[element[1]: element[5]]
    return data


def repeat_element(rng, data):
    element = pick_element(rng, data)
    if element:
        data[element[5]: element[5]] = data[element[1]: element[5]]
    return data


def hostile_element(rng, data):
    """The number that a small element holds: a time, a size, a kind."""
    elements = [e for e in list_elements(data) if e[0] not in EBML_MASTERS and 1 <= e[5] - e[4] <= 8]
    if elements:
        element = rng.choice(elements)
        width = element[5] - element[4]
        data[element[4]: element[5]] = rng.choice([edge(rng, width), rng.getrandbits(8 * width)]).to_bytes(width, "big")
    return data


ELEMENTS = [hostile_element_size, remove_element, repeat_element, hostile_element, hostile_element]


# ---- transport streams ----

def drop_packets(rng, data):
    for _ in range(rng.choice([1, 5, 30])):
        if len(data) > 376:
            at = 188 * rng.randrange(len(data) // 188)
            del data[at: at + 188]
    return data


def shuffle_packets(rng, data):
    packets = [data[at: at + 188] for at in range(0, len(data), 188)]
    at = rng.randrange(len(packets))
    few = packets[at: at + 12]
    rng.shuffle(few)
    packets[at: at + 12] = few
    return bytearray(b"".join(packets))


def hostile_packet_head(rng, data):
    for _ in range(rng.choice([1, 5, 30])):
        at = 188 * rng.randrange(max(1, len(data) // 188)) + rng.randrange(1, 20)
        if at < len(data):
            data[at] = rng.getrandbits(8)
    return data


PACKETS = [drop_packets, shuffle_packets, hostile_packet_head]


def fitting(data):
    """What changes fit the file, by its first bytes."""
    if data[4:8] in (b"ftyp", b"moov", b"mdat", b"styp", b"wide"):
        return ANYWHERE + BOXES * 2
    if data[:4] == b"\x1aE\xdf\xa3":
        return ANYWHERE + ELEMENTS * 3
    if data[:1] == b"G" and data[188:189] == b"G":
        return ANYWHERE + PACKETS * 3
    return ANYWHERE


def mutate(rng, original):
    """(bytes, names of the changes)."""
    data = bytearray(original)
    names = []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if not data:
            break
        change = rng.choice(fitting(data))
        names.append(change.__name__)
        data = bytearray(change(rng, data))
    return bytes(data), names
