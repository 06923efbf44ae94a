"""embed - files as C arrays, each with the entity tag of its content: embed.py FILE... > header."""
import hashlib
import pathlib
import sys

print("/* assets_data.h - made by embed.py of the files in web/. */\n#pragma once")
for name in sys.argv[1:]:
    data = pathlib.Path(name).read_bytes()
    word = pathlib.Path(name).name.replace(".", "_")
    rows = (", ".join(map(str, data[i:i + 24])) for i in range(0, len(data), 24))
    print(f"\nstatic const char {word}_tag[] = \"\\\"{hashlib.sha256(data).hexdigest()[:32]}\\\"\";")
    print(f"static const unsigned char {word}[] = {{\n" + ",\n".join(rows) + "\n};")
