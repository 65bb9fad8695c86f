print("roostd")
