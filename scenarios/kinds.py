"""Types of single values in a scenario: what their unit is and which values are allowed."""

from typing import Annotated

from pydantic import Field

from .fields import Quantity

Seconds = Annotated[float, Field(ge=0), Quantity("time")]
Period = Annotated[float, Field(gt=0), Quantity("time")]
Megahertz = Annotated[float, Field(gt=0), Quantity("frequency")]
Mebibytes = Annotated[float, Field(gt=0), Quantity("memory")]
Watts = Annotated[float, Field(ge=0), Quantity("power")]
Share = Annotated[float, Field(ge=0, le=1), Quantity("share")]
Count = Annotated[int, Field(strict=True, ge=1)]
Factor = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Name = Annotated[str, Field(strict=True, min_length=1, max_length=100)]
FilePath = Annotated[str, Field(strict=True, min_length=1, max_length=4096)]
