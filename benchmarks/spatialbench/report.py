"""The results of a run as a markdown table and as an SVG bar chart."""

import math

# Outcomes that need no note below the table.
PLAIN = ("timeout", "not tried", "no such query")

COLOURS = {"geoflow": "#0b6e4f", "sedonadb": "#c8553d", "duckdb": "#e0b400", "pycanopy": "#4a6fa5", "geopandas": "#8d6a9f"}


def engines_of(run):
    return list(next(iter(run["queries"].values())))


def fastest_peer(results):
    times = [r["seconds"] for engine, r in results.items() if engine != "geoflow" and "seconds" in r and "wrong" not in r]
    return min(times, default=None)


def number(seconds):
    return f"{seconds:.3f}" if seconds < 1 else f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}"


def cell(result, best):
    if "seconds" not in result:
        return result["failed"] if result["failed"] in PLAIN else "fails"
    text = number(result["seconds"])
    if "wrong" in result:
        return f"{text} (wrong) / {result['peak_mb']:,.0f}"
    return f"{'**' + text + '**' if best else text} / {result['peak_mb']:,.0f}"


def markdown(run):
    machine, settings, data = run["machine"], run["settings"], run["data"]
    engines = engines_of(run)
    lines = [
        f"{data['folder']}, layout `{data['layout']}`, {run['date']}, {machine['cpu']} ({machine['cores']} cores, "
        f"{machine['memory_mb']:,} MB), {settings['threads']} threads, page cache {settings['page_cache']}, median of {settings['runs']} runs after a "
        f"warm-up. " + ", ".join(f"{k} {v}" if k != "geoflow" else v for k, v in run["versions"].items()) + ".",
        "",
        "Seconds from SQL text to the complete answer in Arrow / peak memory in MB. The ratio is the fastest peer's time over geoflow's: above 1, geoflow is faster.",
        "",
        "| | rows | " + " | ".join(engines) + " | best peer / geoflow |",
        "|---|---:|" + "---:|" * (len(engines) + 1),
    ]
    for query, results in run["queries"].items():
        right = [r for r in results.values() if "wrong" not in r]
        rows = next((f"{r['answer']['rows']:,}" for r in right if "answer" in r), "")
        fastest = min((r["seconds"] for r in right if "seconds" in r), default=None)
        cells = [cell(r, "seconds" in r and r["seconds"] == fastest) for r in results.values()]
        own, peer = results.get("geoflow", {}).get("seconds"), fastest_peer(results)
        ratio = f"{peer / own:.2f}" if own and peer else ""
        lines.append(f"| {query} | {rows} | " + " | ".join(cells) + f" | {ratio} |")
    notes = sorted({f"- {q}, {e}: {r[k]}" for q, rs in run["queries"].items() for e, r in rs.items()
                    for k in ("wrong", "failed") if k in r and r[k] not in PLAIN})
    if notes:
        lines += ["", *(note.replace("\n", " ") for note in notes)]
    return "\n".join(lines) + "\n"


def chart(run):
    """Bars of seconds on a logarithmic axis, a group for each query."""
    engines = engines_of(run)
    times = [r["seconds"] for results in run["queries"].values() for r in results.values() if "seconds" in r]
    low = math.floor(math.log10(max(min(times, default=0.01), 1e-3)))
    high = max(math.ceil(math.log10(max(times, default=10))), low + 1)
    bar, gap, left, width, top = 11, 12, 78, 640, 54
    group = bar * len(engines) + gap
    height = top + group * len(run["queries"]) + 30

    def x(seconds):
        return left + (math.log10(max(seconds, 10**low)) - low) / (high - low) * width

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 70}" height="{height}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="18" font-size="14">SpatialBench {run["data"]["folder"]} ({run["data"]["layout"]}): seconds, logarithmic, shorter is better</text>',
    ]
    for place, engine in enumerate(engines):
        out.append(f'<rect x="{left + place * 110}" y="28" width="10" height="10" fill="{COLOURS.get(engine, "#777")}"/>')
        out.append(f'<text x="{left + place * 110 + 15}" y="37">{engine}</text>')
    for power in range(low, high + 1):
        at = x(10**power)
        out.append(f'<line x1="{at:.1f}" y1="{top - 6}" x2="{at:.1f}" y2="{height - 24}" stroke="#ddd"/>')
        out.append(f'<text x="{at:.1f}" y="{height - 10}" text-anchor="middle">{10**power:g}</text>')
    for row, (query, results) in enumerate(run["queries"].items()):
        y = top + row * group
        out.append(f'<text x="{left - 8}" y="{y + bar * len(engines) / 2 + 4}" text-anchor="end">{query}</text>')
        for place, (engine, result) in enumerate(results.items()):
            at = y + place * bar
            if "seconds" in result:
                end = max(x(result["seconds"]), left + 1)
                words = number(result["seconds"]) + (" (wrong)" if "wrong" in result else "")
                out.append(f'<rect x="{left}" y="{at}" width="{end - left:.1f}" height="{bar - 2}" fill="{COLOURS.get(engine, "#777")}"/>')
            else:
                end, words = left, result["failed"] if result["failed"] in PLAIN else "fails"
            out.append(f'<text x="{end + 4:.1f}" y="{at + bar - 3}" font-size="9">{words}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"
