"""A signature of a query's answer that does not depend on row order or on how an engine types its columns.

Whole numbers, strings, bytes, times and dates must agree to the last bit: each row's values are hashed together and the
hashes added up modulo 2^64. Floats, decimals and durations cannot (engines add in another order, and some cut averages
to nine decimals), so of each such column the sum is kept, and the sum weighted by the row's hash, which notices values that
changed places. `same` compares those two within TOLERANCE of the sum of magnitudes, and of what a decimal's last digit cuts off.
"""

import hashlib
import json
import sys

import numpy
import pyarrow
import pyarrow.compute

TOLERANCE = 2e-6  # DataFusion cuts an average duration to whole milliseconds
NULL = numpy.uint64(0x9E3779B97F4A7C15)
EPOCH_UNIT = {"s": 10**6, "ms": 10**3, "us": 1}


def mix(values):
    """splitmix64's finaliser: every bit of the input reaches every bit of the output."""
    values = (values ^ (values >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return values ^ (values >> numpy.uint64(31))


def storage(column):
    """One plain array: chunks joined, extension types and views taken off."""
    if isinstance(column, pyarrow.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pyarrow.ChunkedArray):  # more than one chunk holds
        column = pyarrow.concat_arrays(column.chunks)
    if isinstance(column, pyarrow.ExtensionArray):
        column = column.storage
    types = pyarrow.types
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_string_view(column.type) or types.is_string(column.type):
        column = column.cast(pyarrow.large_string())
    if types.is_binary_view(column.type) or types.is_binary(column.type):
        column = column.cast(pyarrow.large_binary())
    return column


def inexact(column):
    """The column as floats when it is a float, decimal or duration (in seconds); else None."""
    kind = column.type
    if pyarrow.types.is_floating(kind) or pyarrow.types.is_decimal(kind):
        return column.cast(pyarrow.float64())
    if pyarrow.types.is_duration(kind):
        per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
        return pyarrow.compute.divide(column.cast(pyarrow.int64()).cast(pyarrow.float64()), float(per_second))
    if kind == pyarrow.month_day_nano_interval():
        seconds = [v and v.months * 30 * 86400 + v.days * 86400 + v.nanoseconds / 1e9 for v in column.to_pylist()]
        return pyarrow.array(seconds, pyarrow.float64())
    return None


def exact(column):
    """A 64-bit hash of every value."""
    kind = column.type
    if pyarrow.types.is_timestamp(kind):
        # Rounding down is right: no query computes times below a microsecond.
        column = column.cast(pyarrow.timestamp("us"), safe=False).cast(pyarrow.int64())
    if pyarrow.types.is_boolean(column.type) or pyarrow.types.is_integer(column.type):
        bits = column.cast(pyarrow.int64()).fill_null(0).to_numpy(zero_copy_only=False).astype(numpy.uint64)
        hashes = mix(bits + NULL)
    else:
        encoded = column.dictionary_encode()
        distinct = [
            int.from_bytes(hashlib.blake2b(v if isinstance(v, bytes) else str(v).encode(), digest_size=8).digest(), "little")
            for v in encoded.dictionary.to_pylist()
        ]
        distinct = numpy.array([*distinct, 0], dtype=numpy.uint64)  # the last stands for NULL
        hashes = distinct[encoded.indices.fill_null(len(distinct) - 1).to_numpy(zero_copy_only=False)]
    nulls = column.is_null().to_numpy(zero_copy_only=False)
    return numpy.where(nulls, NULL, hashes)


def signature(table):
    """The signature of a pyarrow table, as plain JSON values. Columns are known by their place: names differ."""
    rows = numpy.full(table.num_rows, numpy.uint64(1))
    floats = {}
    with numpy.errstate(over="ignore"):
        for place, column in enumerate(map(storage, table.columns)):
            values = inexact(column)
            if values is None:
                rows = mix(rows * numpy.uint64(31) + exact(column))
            else:
                cut = 10.0**-column.type.scale if pyarrow.types.is_decimal(column.type) else 0.0
                floats[place] = values, cut * (len(values) - values.null_count)
                nulls = column.is_null().to_numpy(zero_copy_only=False)
                rows = mix(rows * numpy.uint64(31) + nulls.astype(numpy.uint64))
        total = int(rows.sum(dtype=numpy.uint64))
    weights = (rows >> numpy.uint64(11)).astype(numpy.float64) / 2**53
    sums = []
    for place, (values, cut) in floats.items():
        values = values.fill_null(0).to_numpy(zero_copy_only=False)
        allowed = TOLERANCE * float(numpy.abs(values).sum()) + cut
        sums.append([place, float(values.sum()), float((values * weights).sum()), allowed])
    return {"rows": table.num_rows, "exact": f"{total:016x}", "floats": sums}


def same(one, other):
    """Whether two signatures are of the same answer."""
    if one["rows"] != other["rows"] or one["exact"] != other["exact"] or len(one["floats"]) != len(other["floats"]):
        return False
    for (place, total, weighted, allowed), (other_place, other_total, other_weighted, other_allowed) in zip(one["floats"], other["floats"]):
        allowed = max(allowed, other_allowed) + 1e-12
        if place != other_place or abs(total - other_total) > allowed or abs(weighted - other_weighted) > allowed:
            return False
    return True


def read_arrow(path):
    with pyarrow.memory_map(str(path)) as source:
        try:
            return pyarrow.ipc.open_file(source).read_all()
        except pyarrow.ArrowInvalid:
            source.seek(0)
            return pyarrow.ipc.open_stream(source).read_all()


if __name__ == "__main__":
    print(json.dumps(signature(read_arrow(sys.argv[1]))))
