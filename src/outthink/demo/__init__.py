"""The demonstration behind `make demo`: seeded problems, four methods, one small model, and a report that claims no more than it shows.

    outthink demo              # 40 sums of three numbers, 16 members
    outthink demo --quick      # 8 problems, 8 members
    outthink demo --more       # greatest common divisors and products as well

`outthink.demo.main.run_demo` is what the command calls; `problems` draws, `methods` solves, `scoring` compares, `table` and `page` show.
"""

__all__: list[str] = []
