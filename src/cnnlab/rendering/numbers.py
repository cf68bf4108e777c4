"""Numbers as readable text."""


def percent(fraction: float) -> str:
    """A fraction in percent: `97.22 %`."""
    return f"{100 * fraction:.2f} %"


def speed(images_per_second: float) -> str:
    """Images per second: `1,234`, with two significant digits below 10."""
    return f"{images_per_second:,.0f}" if images_per_second >= 10 else f"{images_per_second:.2g}"


def duration(seconds: float) -> str:
    """A duration: `7 s`, `3 min 05 s` or `2 h 14 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def memory_text(size: int) -> str:
    """`size` bytes in MiB, or in GiB from 1 GiB upward."""
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 else f"{size / 2**20:.2f} MiB"


def rounded(value: float) -> str:
    """Four digits and a unit, such as `115.6 M`; smaller values in full."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 10 * size or (value >= size and unit != "k"):
            return f"{value / size:#.4g}".rstrip(".") + f" {unit}"
    return f"{value:,}"
